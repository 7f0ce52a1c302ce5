fastgd surface --plot surface.png
