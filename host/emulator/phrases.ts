// What the emulated model can say. A line is one sentence; `{a|b}` is a choice, `{topic}` a word from the question.
// Every choice and topic stands between a space and a space or sign, so that the joined text has one canonical encoding.
import { encode } from '../../sdk/wire/vocabulary.ts'

/** One link of a sentence: ids that are fixed, ids to choose from, or a topic. */
export type Link = { choices: number[][] } | { topic: true }
export interface Phrase {
  /** The first link when the phrase begins a line, and when it follows another on the same line. */
  first: { alone: number[]; joined: number[] }
  rest: Link[]
}

export const openings = phrases(`
A {good|useful|practical|simple} way to think about {topic} is to begin with what it is for.
The short answer is that {topic} works best when the goal is {clear|simple|stated early}.
There are {two|three|several} things to know about {topic} before going into detail.
In plain terms, {topic} is about making a choice and then living with the result.
It helps to take {topic} one step at a time.
People often ask about {topic}, and the answer depends on what they already know.
You can understand {topic} without any special background.
At first sight {topic} looks {harder|larger|simpler} than it really is.
`)

export const sentences = phrases(`
The first thing to consider is the {purpose|context|cost|scale} of {topic}.
Most of the {effort|time|work|trouble} goes into the part that nobody sees.
When {topic} changes, the {result|balance|cost|order} usually changes with it.
A small example makes this {clear|easier to see|easier to follow}.
Suppose that you have only one hour for {topic} and want to use it well.
In practice it is {better|safer|easier} to test one idea than to discuss ten.
This is why {experience|patience|careful observation|good feedback} counts for more than speed.
The same rule holds for {topic}, although the details differ.
Some people prefer to start with {topic} and fill in the rest later.
Others begin with the {question|data|limits} and let the answer follow.
Both ways work, as long as the {steps|reasons|results} are written down.
It is {easy|common|natural} to confuse {topic} with the tools around it.
The difference matters most when something goes wrong.
A good check is to explain {topic} to a friend in two or three sentences.
If that is hard, the idea is not yet {clear|complete|simple} enough.
There is also a question of {cost|time|scale|quality}, which is often left until the end.
Looking at it early keeps the rest of the plan {honest|simple|steady}.
Every choice has a price, and {topic} is no exception.
The best results come from {short|regular|careful} steps and quick feedback.
Another point is that {topic} rarely stands alone.
It depends on the things around it, and they depend on it in turn.
For that reason a change in one place can be felt in {another|several others|the whole system}.
Keep the parts {small|separate|easy to test} and the whole stays easy to change.
It also helps to {measure|write down|compare} what happens before and after.
Numbers do not tell the full story, but they keep the discussion {fair|short|useful}.
Where the evidence about {topic} is weak, say so and wait for more.
Over time a {pattern|rhythm|habit} appears, and the next decision becomes easier.
Mistakes with {topic} are normal, and most of them are cheap to correct.
What matters is to notice them {early|quickly|before others do}.
A simple list of what you know about {topic} is often enough to begin.
Then sort it by what would change your mind.
The rest can wait until the {main question|first part|basic idea} is settled.
`)

export const closings = phrases(`
In short, start small, keep what works and let {topic} grow from there.
That is enough to begin with {topic}, and the rest comes with practice.
With this in mind, {topic} should be {easier|simpler} to work with from now on.
If you tell me more about your case, I can go into detail on {topic}.
So the best next step is to try it once and look at the result.
`)

/** For text that somebody else began and that stops in the middle of a sentence. */
export const bridges = phrases(`
, and that is the part of {topic} that deserves attention.
, which is a good place to begin.
, although the details depend on the situation.
, and it is worth asking why.
, as most people find out with time.
`)

function phrases(text: string): Phrase[] {
  return text.trim().split('\n').map(phrase)
}

function phrase(line: string): Phrase {
  const [head = '', ...tail] = line.split(/(?= \{)|(?<=\})/)
  return {
    first: { alone: encode(head), joined: encode(` ${head}`) },
    rest: tail.map((part): Link => {
      if (part === ' {topic}') return { topic: true }
      const choices = part.startsWith(' {')
        ? part
            .slice(2, -1)
            .split('|')
            .map((choice) => ` ${choice}`)
        : [part]
      return { choices: choices.map(encode) }
    }),
  }
}
