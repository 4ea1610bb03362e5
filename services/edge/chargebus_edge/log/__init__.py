"""What an edge says to Kafka and hears from it (frames, answers, commands, presence), whatever stations speak."""
