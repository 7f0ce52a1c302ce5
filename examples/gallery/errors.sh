printf 'x0,x1,x2,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n' > xor.csv
fastgd sweep xor.csv --raw --target y --alpha 0.001,0.01,0.1,1,10,100,1000 --seeds 100 \
  --record-every 500 --save alphas.npz
fastgd plot alphas.npz --kind errors --plot errors.png
