printf 'x0,x1,x2,y\n0,0,1,0\n0,1,1,1\n1,0,1,1\n1,1,1,0\n' > xor.csv
fastgd train xor.csv --raw --target y --alpha 10 --save run.npz
fastgd plot run.npz --kind changes --plot direction-changes.png
