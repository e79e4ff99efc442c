"""What is shown of a frame: pictures, its flags, films of many; where they go nobody here knows."""
