"""The service against other ways to serve the same networks, under real load."""
