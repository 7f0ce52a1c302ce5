fastgd surface --3d --plot surface-3d.png
