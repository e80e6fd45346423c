#!/bin/bash
# a comment
#SBATCH --job-name=train --nodes 1
#SBATCH -c 4   # cores
#SBATCH --mem=3500
#SBATCH -t1-02:03:04
#SBATCH --output="log of %x"
#SBATCH --no-requeue --gres=none
#SBATCH --signal=USR1@60 --export=ALL,A=b --chdir=/x --ntasks=1

echo hi
#SBATCH --nonsense
