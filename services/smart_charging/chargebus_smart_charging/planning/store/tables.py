"""The tables of this subject; each column is declared here, and nowhere else."""
