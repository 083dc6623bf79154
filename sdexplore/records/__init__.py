"""Every other result as a frozen record with text and HTML: one file a subject."""
