// The parts that pages are made of.
import { milliseconds, roundUsd, Total } from '../parts/amount.tsx'
import { Bars, Line } from '../parts/chart.tsx'
import { AreaField, CheckField, FormFault, SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Command, Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import { firstRequest } from '../home/samples.ts'
import type { Exhibit } from './exhibit.ts'
import { HOSTILE, LONG, MODEL, URL_OF_HUB } from './samples.ts'

const usd = (value: number) => roundUsd(BigInt(Math.round(value * 1e9)))
const bars = ['Mon', 'Tue', 'Wed', 'Thu'].map((label, i) => ({ label, parts: [i * 0.3, 0.2, 0.05 * i] }))
const wrong = { '': 'The whole is wrong.', name: 'That is taken.', kind: 'Choose one.', text: 'Say more.' }

const fields = (faults?: typeof wrong) => (
  <>
    <Title note="Each with its label, its hint and what is wrong with it.">Fields</Title>
    <form class="card stack narrow">
      <FormFault faults={faults} />
      <TextField name="name" label="A line" value={HOSTILE} hint="As short as you like." faults={faults} />
      <SelectField name="kind" label="A choice" options={[['a', LONG]]} faults={faults} />
      <AreaField name="text" label="Some lines" value={HOSTILE} faults={faults} />
      <CheckField name="yes" label="A box" />
      <div class="row">
        <button class="primary">Primary</button>
        <button>Plain</button>
        <button class="danger">Danger</button>
        <button disabled>Disabled</button>
        <button class="link">Link</button>
      </div>
    </form>
  </>
)

export const partExhibits: Exhibit[] = [
  { name: 'fields', body: fields() },
  { name: 'fields-wrong', body: fields(wrong) },
  {
    name: 'figures',
    body: (
      <>
        <Title>Figures</Title>
        <Figures
          of={[
            { label: 'Spent', value: <Total of={123_456_789_012n} />, note: 'a balance' },
            { label: 'A little', value: <Total of={131_000n} />, note: 'two digits that say something' },
            { label: 'Time', value: milliseconds(1_204) },
          ]}
        />
      </>
    ),
  },
  {
    name: 'charts',
    body: (
      <>
        <Title>Charts</Title>
        <Section title="Bars">
          <Bars caption="Bars" names={['one', 'two', HOSTILE]} bars={bars} format={usd} />
        </Section>
        <Section title="Nothing yet">
          <Bars caption="No bars" names={[]} bars={bars.map(({ label }) => ({ label, parts: [] }))} format={usd} />
        </Section>
        <Section title="A line with a gap">
          <Line
            caption="Line"
            name="rate"
            points={bars.map(({ label }, i) => [label, i === 1 ? null : i])}
            format={String}
          />
        </Section>
      </>
    ),
  },
  {
    name: 'samples',
    body: (
      <>
        <Title>Samples</Title>
        <Samples id="sample" of={firstRequest(URL_OF_HUB, MODEL)} />
        <Command id="command" text={`gpuhost start --hub ${URL_OF_HUB} --name ${HOSTILE}`} />
      </>
    ),
  },
  {
    name: 'tables',
    body: (
      <>
        <Title>Tables</Title>
        <Table caption="Empty" rows={[]} columns={[]} empty={<p>Nothing yet. Do this next.</p>} />
        <Table
          caption="Full"
          rows={[HOSTILE, LONG]}
          empty={<p>None.</p>}
          columns={[
            { name: 'Name', cell: (row) => row },
            { name: 'Number', number: true, cell: (row) => row.length },
            { name: 'Tag', cell: () => <span class="tag warn">warn</span> },
          ]}
        />
        {['', 'bad', 'warn'].map((tone) => (
          <p class={`note-box ${tone}`}>What one should know.</p>
        ))}
      </>
    ),
  },
]
