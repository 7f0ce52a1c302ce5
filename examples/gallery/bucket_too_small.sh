fastgd bucket --example too-small --plot bucket_too_small.png
