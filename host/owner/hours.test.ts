import { describe, expect, test } from 'bun:test'
import { checkHours, clockAt, standingAt } from './hours.ts'

const at = (text: string) => Date.parse(text)
const iso = (moment: number | null) => (moment === null ? null : new Date(moment).toISOString().slice(0, 16))
const BERLIN = 'Europe/Berlin'
const NEW_YORK = 'America/New_York'
const LORD_HOWE = 'Australia/Lord_Howe'
const nights = 'mon-fri 19:00-08:00, sat-sun 00:00-24:00'

// 2026-11-25 is a Wednesday. Berlin is an hour ahead of UTC then.
describe('the hours of a week', () => {
  test.each([
    ['by day', nights, BERLIN, '2026-11-25T12:00Z', false, '2026-11-25T18:00'],
    ['at its first moment', nights, BERLIN, '2026-11-25T18:00Z', true, '2026-11-26T07:00'],
    ['after midnight', nights, BERLIN, '2026-11-26T03:00Z', true, '2026-11-26T07:00'],
    ['at its end', nights, BERLIN, '2026-11-26T07:00Z', false, '2026-11-26T18:00'],
    ['from Friday night to Sunday it is one', nights, BERLIN, '2026-11-27T20:00Z', true, '2026-11-29T23:00'],
    ['and then Monday evening', nights, BERLIN, '2026-11-30T00:00Z', false, '2026-11-30T18:00'],
    ['elsewhere it is another day', nights, NEW_YORK, '2026-11-26T00:30Z', true, '2026-11-26T13:00'],
    ['without a day it is daily', '22:00-06:00', 'UTC', '2026-11-25T23:00Z', true, '2026-11-26T06:00'],
    ['two spans a day', 'daily 9:00-12:00 14:00-18:00', 'UTC', '2026-11-25T12:30Z', false, '2026-11-25T14:00'],
    ['days around the weekend', 'fri-mon 10:00-11:00', 'UTC', '2026-11-28T12:00Z', false, '2026-11-29T10:00'],
    ['single days', 'mon thu 10:00-11:00', 'UTC', '2026-11-26T12:00Z', false, '2026-11-30T10:00'],
    ['only once a week', 'wed 10:00-11:00', 'UTC', '2026-11-25T11:00Z', false, '2026-12-02T10:00'],
    ['always', '00:00-24:00', BERLIN, '2026-11-25T12:00Z', true, null],
  ])('%s', (_, text, zone, now, open, until) => {
    const standing = standingAt({ text, zone }, at(now))
    expect([standing.open, iso(standing.until)]).toEqual([open, until])
  })
})

// Berlin skips 02:00–03:00 on 2026-03-29 (at 01:00 UTC), and has it twice on 2026-10-25. New York skips 02:00–03:00 on
// 2026-03-08 (at 07:00 UTC), and has 01:00–02:00 twice on 2026-11-01. Lord Howe skips 02:00–02:30 on 2026-10-04 (at 15:30
// UTC the day before), and has 01:30–02:00 twice on 2026-04-05.
describe('when the clocks change', () => {
  test.each([
    ['a night an hour short', '23:00-08:00', BERLIN, '2026-03-28T23:00Z', true, '2026-03-29T06:00'],
    ['an hour long', '23:00-08:00', BERLIN, '2026-10-24T22:00Z', true, '2026-10-25T07:00'],
    ['it opens in the gap', '02:30-08:00', BERLIN, '2026-03-29T00:59Z', false, '2026-03-29T01:00'],
    ['it ends in the gap', '23:00-02:30', BERLIN, '2026-03-29T00:59Z', true, '2026-03-29T01:00'],
    ['all of it is in the gap', '02:15-02:45', BERLIN, '2026-03-29T00:59Z', false, '2026-03-30T00:15'],
    ['it opens at what comes twice', '02:30-08:00', BERLIN, '2026-10-25T00:00Z', false, '2026-10-25T00:30'],
    ['it ends at what comes twice', '23:00-02:30', BERLIN, '2026-10-25T00:00Z', true, '2026-10-25T00:30'],
    ['and does not open again', '23:00-02:30', BERLIN, '2026-10-25T01:00Z', false, '2026-10-25T22:00'],
    ['New York opens in the gap', '02:30-08:00', NEW_YORK, '2026-03-08T06:59Z', false, '2026-03-08T07:00'],
    ['New York ends at what comes twice', '19:00-01:30', NEW_YORK, '2026-11-01T05:00Z', true, '2026-11-01T05:30'],
    ['New York, the night of the change', '19:00-08:00', NEW_YORK, '2026-11-01T04:00Z', true, '2026-11-01T13:00'],
    [
      'Lord Howe opens in a gap of half an hour',
      '02:10-08:00',
      LORD_HOWE,
      '2026-10-03T15:29Z',
      false,
      '2026-10-03T15:30',
    ],
    ['Lord Howe, the night of the change', '19:00-08:00', LORD_HOWE, '2026-10-03T15:00Z', true, '2026-10-03T21:00'],
    ['Lord Howe ends at what comes twice', '19:00-01:45', LORD_HOWE, '2026-04-04T14:00Z', true, '2026-04-04T14:45'],
    ['Lord Howe, half an hour long', '19:00-08:00', LORD_HOWE, '2026-04-04T14:00Z', true, '2026-04-04T21:30'],
  ])('%s', (_, text, zone, now, open, until) => {
    const standing = standingAt({ text, zone }, at(now))
    expect([standing.open, iso(standing.until)]).toEqual([open, until])
  })
})

test.each([
  ['mon-fry 19:00-08:00', '"mon-fry" is no day'],
  ['mon-tue-wed 19:00-08:00', '"mon-tue-wed" is no day'],
  ['mon', 'After "mon" the hours are missing'],
  ['mon 19-08', '"19-08" is no span of hours'],
  ['mon 25:00-08:00', '"25:00-08:00" is no span of hours'],
  ['mon 24:00-08:00', '"24:00-08:00" is no span of hours'],
  ['mon 19:60-20:00', '"19:60-20:00" is no span of hours'],
  ['mon 19:00-08:00 tue', '"tue" is no span of hours'],
  ['mon 08:00-08:00', '"08:00-08:00" is no time at all'],
  ['mon 19:00-08:00,', 'nothing between two commas'],
  ['', 'nothing at all'],
  ['x'.repeat(501), 'at most 500 characters'],
])('%j is refused, and says which word is wrong', (text, says) => {
  expect(() => checkHours({ text, zone: 'UTC' })).toThrow(says)
})

test('so is a zone that nobody knows; a moment is shown by the owner’s clock', () => {
  expect(() => checkHours({ text: nights, zone: 'Europe/Berln' })).toThrow('"Europe/Berln" is not a time zone')
  expect(() => checkHours({ text: nights, zone: BERLIN })).not.toThrow()
  expect(clockAt(at('2026-11-27T18:00Z'), BERLIN)).toBe('Fri 19:00')
})
