"""What happens when the service is killed, told to end, or has no disk left, amid its work."""
