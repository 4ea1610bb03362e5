"""Apache Kafka and PostgreSQL as child processes, from wheels and cached jars."""
