fastgd bucket --basins --plot bucket_basins.png
