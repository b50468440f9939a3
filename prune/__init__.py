"""Which weights to cut: families, statistics, scores, allocation, structure, schedules."""
