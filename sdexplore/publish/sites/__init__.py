"""What each site wants, one file a site: folders, head, pictures, addresses, what it refuses."""
