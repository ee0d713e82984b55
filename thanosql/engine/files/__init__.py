"""Files: what COPY is given in, typed rows and tables out."""
