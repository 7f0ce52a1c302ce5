fastgd trainability --resolution 512 --iterations 500 --plot trainability.png \
  --box-plot trainability-boxes.png
