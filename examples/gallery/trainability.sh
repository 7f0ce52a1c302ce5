fastgd trainability --resolution 192 --iterations 200 --plot trainability.png --box-plot trainability-boxes.png
