fastgd bucket "x**4/300 + sin(2.5*x) + cos(x/2)" --start=-4.6,-2,0.5,3,5.8 \
  --alpha 0.02 --plot bucket_balls.gif
