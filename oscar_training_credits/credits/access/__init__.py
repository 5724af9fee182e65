"""Access: who may use what, given, ended, and told to a learning system."""
