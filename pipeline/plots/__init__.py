"""Pictures of results, drawn by matplotlib, which is imported only to draw."""
