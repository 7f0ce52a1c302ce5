printf 'x0,x1,x2,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n' > xor.csv
fastgd sweep xor.csv --raw --target y --hidden-size 1,2,3,4,6,8,16 --alpha 1,10 \
  --seeds 1000 --iterations 10000 --save sizes.npz
fastgd plot sizes.npz --kind solved --plot solved.png
