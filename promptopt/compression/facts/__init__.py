"""What a prompt says that must survive its compression."""
