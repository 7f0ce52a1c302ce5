fastgd bucket --example too-big --plot bucket_too_big.png
