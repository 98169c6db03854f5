"""Charts as inline SVG: no script, no font, no request; colours are classes of the page's style sheet."""
