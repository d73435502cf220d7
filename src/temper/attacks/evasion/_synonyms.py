"""A short list of everyday English words that can stand for one another, for use without a table of one's own."""

from __future__ import annotations

GROUPS = tuple(
    tuple(line.split())
    for line in """
free gratis complimentary
win gain earn
winner victor champion
prize award reward
cash money funds
call phone ring dial
reply answer respond
text message note
send forward mail
claim collect redeem
offer deal bargain
urgent pressing critical
now immediately today
stop quit cease
new fresh recent
mobile cell phone
account profile record
good fine decent nice
great superb excellent wonderful
best finest top
better finer superior
bad poor lousy
terrible awful dreadful horrible
worst poorest
boring dull tedious
funny amusing comic humorous
fun enjoyable pleasant
smart clever bright
stupid silly foolish
beautiful lovely gorgeous pretty
ugly unsightly
love adore cherish
hate loathe detest
like enjoy
movie film picture
story tale plot
actor performer player
strong powerful solid
weak feeble flimsy
fast quick rapid
slow sluggish
big large huge
small little tiny
happy glad cheerful
sad unhappy gloomy
interesting engaging intriguing
moving touching stirring
original inventive novel
old aged ancient
hard tough difficult
easy simple effortless
rich wealthy
cheap inexpensive
important key vital
begin start commence
end finish close
help aid assist
want wish desire
get obtain receive
give hand grant
buy purchase acquire
make create produce
show display present
think believe reckon
look glance watch
please kindly
waste squander
fails flops misfires
lacks misses
""".strip().splitlines()
)
