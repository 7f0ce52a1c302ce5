printf 'x0,x1,x2,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n' > xor.csv
fastgd race xor.csv --target y --optimizer adam,alpha=0.01 \
  --optimizer momentum,momentum=0.5 --axes 0,0,0 --axes 1,0,0 --span -8,8 \
  --plot race-two.png
