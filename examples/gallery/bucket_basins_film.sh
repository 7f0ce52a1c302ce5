fastgd bucket --basins --alpha 0.02 --plot bucket_basins.gif
