printf 'x0,x1,x2,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n' > xor.csv
fastgd train xor.csv --raw --target y --alpha 10 --iterations 2000 --record-every 10 \
  --record-weights --save paths.npz
fastgd plot paths.npz --kind weights --plot weight-paths.png
