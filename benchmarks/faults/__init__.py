"""Test what happens if the service is killed, terminated or out of disk space while it works."""
