fastgd trainability --frames 24 --factor 1.3 --resolution 80 --iterations 100 \
  --activation identity --window=-1,3,-1,3 --plot trainability-zoom.gif
