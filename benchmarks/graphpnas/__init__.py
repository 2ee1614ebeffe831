"""Speed of GraphPNAS."""
