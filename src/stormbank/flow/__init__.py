"""Flow control: who is let in when not everybody can be. One file for each mechanism; `control` puts them together."""
