"""Weights that are sparse on disk and dense only in memory. Never torch; numpy and safetensors.

A packed file is a safetensors file. The bytes of array number i lie in it as the tensors `iv` (the
values) and, where most elements are alike, `im` (one bit an element: is its value among those of
`iv`, or is it the fill?). One text in the file's metadata lists names, types and shapes. Where all
this would be larger than a plain safetensors file of the same arrays, the file *is* the plain one.
"""
