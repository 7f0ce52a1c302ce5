fastgd bucket --example rut --plot bucket_rut.png
