"""From Security Center to somewhere else."""
