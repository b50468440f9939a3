"""What fine-tuning is made of: losses, a step, a whole lesson, and several GPUs that share one."""
