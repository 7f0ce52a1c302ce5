fastgd race --plot race.png
