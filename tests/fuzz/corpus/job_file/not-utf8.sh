#!/bin/bash
# a comment
#SBAT>H --job-name=train --no: [model.pt]
# What the exchange's rules ask of a buyer; nobody checks it but thorkdir: ="log of %x"
## TrainsSBATCH --î a small language o-reqmodel onueu 