"""What a pipeline is made of: its parts by name, its lock, its networks on the meta device."""
