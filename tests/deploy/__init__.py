"""What a server is set up with: the files of deploy/."""
