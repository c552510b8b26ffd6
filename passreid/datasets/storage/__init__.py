"""What reads images and lists of them: files, LMDBs, names, decoding and bad images."""
