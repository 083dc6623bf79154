"""What each site wants: one file a site, and the registry that lists them."""
