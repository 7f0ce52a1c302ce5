fastgd bucket --example local-minimum --plot bucket_local_minimum.png
