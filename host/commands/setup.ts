// `gpuhost setup`: from a machine to one that can start. Nothing large is downloaded, and nothing joins a hub, before its
// owner has seen what it may bring and has said yes.
import type { CatalogVariant } from '../../sdk/catalog.ts'
import type { Benchmark } from '../benchmark/record.ts'
import { type Choice, saveChoice } from '../choice.ts'
import type { Home } from '../config.ts'
import { HostError } from '../errors.ts'
import type { Check } from '../fit.ts'
import type { Survey } from '../hardware/survey.ts'
import { type Catalog, findVariant } from '../hub/catalog.ts'
import { confirmLicence, type Member } from '../hub/member.ts'
import { checkLine, type Line } from '../hub/network.ts'
import { explainCheck, type FittedModel, fittedModels, type Supposed } from './models.ts'

export interface SetupSettings {
  /** Undefined: the owner is asked. */
  model: string | undefined
  /** The owner has said yes to everything beforehand. */
  yes: boolean
  supposed: Supposed
}

export interface SetupWorld {
  home: Home
  /** The owner's answer; null: nobody is there to ask. */
  ask: (question: string) => Promise<string | null>
  say: (line: string) => void
  survey: () => Promise<Survey>
  catalog: () => Promise<Catalog>
  /** Joins the hub, unless it has been joined before. */
  join: () => Promise<Member>
  measure: (member: Member) => Promise<Line>
  /** Ids of variants whose weights are here. */
  downloaded: (catalog: Catalog) => ReadonlySet<string>
  /** Downloads, and returns the folder. */
  download: (variant: CatalogVariant) => Promise<string>
  /** Starts what was chosen, measures it, ends it; null: it was not to be measured. */
  benchmark: (choice: Choice) => Promise<{ benchmark: Benchmark; checks: Check[] } | null>
  /** Lists models for a person. */
  show: (models: readonly FittedModel[]) => void
}

export interface SetUp {
  /** Everything this machine needs to serve the model is there. */
  ready: boolean
  choice: Choice | null
  model: FittedModel | null
  line: Line | null
  /** How fast it is; null: it was not measured, or has an engine of the owner's own. */
  benchmark: Benchmark | null
  /** Of hardware, model, line and speed. */
  checks: Check[]
}

/** What an owner agrees to, in full. */
export const CONSENT = [
  'What will run: an inference engine with the model you choose, on the GPUs listed, as a user without rights.',
  'It answers prompts of the hub’s clients. Nothing they send can run a program here, reach your network or your files.',
  'There is no inbound port: this machine calls the hub. gpuhost stop ends everything, gpuhost stop --now within 10 seconds.',
  'You can see that prompts pass through your machine; reading, keeping or passing them on breaks the hub’s terms.',
]

/** @throws HostError where the owner says no, or a step fails */
export async function setup(settings: SetupSettings, world: SetupWorld): Promise<SetUp> {
  const { say } = world
  const [machine, catalog] = await Promise.all([world.survey(), world.catalog()])
  const models = fittedModels(catalog, machine, settings.supposed, world.downloaded(catalog)).filter(
    ({ onOffer }) => onOffer,
  )
  const possible = models.filter(({ verdict }) => verdict !== 'no')
  if (settings.model === undefined && possible.length === 0) return fails(models, say)
  const model = await choose(settings, world, catalog, possible, models)
  if (model.verdict !== 'fits') return refuse(model.checks, { model, line: null }, say)
  for (const line of CONSENT) say(line)
  await agree(world, settings, 'Go on?')
  const variant = findVariant(catalog, model.id)
  if (variant.terms !== null) await agreeToLicence(world, settings, variant)
  const member = await world.join()
  const line = await world.measure(member)
  const checks = [...model.checks, ...checkLine(line, catalog.network)]
  if (checks.some(({ ok }) => !ok)) return refuse(checks, { model, line }, say)
  if (variant.terms !== null) await confirmLicence(member, variant)
  const weightsFolder = model.engine === 'own' ? null : await world.download(variant)
  const { args, contextTokens, minTokensPerSecond } = variant
  const choice: Choice = { variant: model.id, weightsFolder, gpus: model.gpus, args, contextTokens, minTokensPerSecond }
  saveChoice(world.home, choice)
  const speed = weightsFolder === null ? null : await world.benchmark(choice)
  const all = [...checks, ...(speed?.checks ?? [])]
  if (all.some(({ ok }) => !ok)) return { ...refuse(all, { model, line }, say), benchmark: speed?.benchmark ?? null }
  return { ready: true, choice, model, line, benchmark: speed?.benchmark ?? null, checks: all }
}

async function choose(
  { model: named, yes }: SetupSettings,
  world: SetupWorld,
  catalog: Catalog,
  possible: readonly FittedModel[],
  models: readonly FittedModel[],
): Promise<FittedModel> {
  if (named !== undefined) {
    const { id, name } = findVariant(catalog, named)
    const found = models.find((model) => model.id === id)
    if (found) return found
    throw new HostError(`This hub does not sell ${name} (${id}) now. gpuhost models lists what it sells.`)
  }
  // An engine of the owner's own is a choice nobody makes unasked.
  const managed = possible.filter(({ engine, verdict }) => engine === 'vllm' && verdict === 'fits')
  const best = managed[0] ?? possible[0]
  if (!best) throw new HostError('Nothing fits.', 3)
  world.show(possible)
  if (yes) return best
  const answer = await world.ask(`Which model? [${best.id}] `)
  if (answer === null) throw new HostError('Say which model: gpuhost setup --model ID --yes', 2)
  const id = answer.trim() || best.id
  const found = possible.find((model) => model.id === id || model.id === findVariant(catalog, id).id)
  if (found) return found
  throw new HostError(`${id} does not fit this machine. gpuhost models --all says why.`, 3)
}

async function agreeToLicence(world: SetupWorld, settings: SetupSettings, variant: CatalogVariant): Promise<void> {
  const { say } = world
  say(`${variant.name} is under ${variant.license}: ${variant.licenseUrl}`)
  if (variant.baseModel !== null) say(`It derives from ${variant.baseModel}, under ${variant.baseLicense}.`)
  if (variant.aupUrl !== null) say(`Acceptable use: ${variant.aupUrl}`)
  for (const { text } of variant.statements) say(`  ${text}`)
  await agree(world, settings, 'Do you confirm all of this?')
}

/** @throws HostError unless the owner says yes */
async function agree({ ask }: SetupWorld, { yes }: SetupSettings, question: string): Promise<void> {
  if (yes) return
  const answer = await ask(`${question} [y/N] `)
  if (answer === null) throw new HostError('Nobody is there to ask. Read what was said, then add --yes.', 2)
  if (!/^y(es)?$/i.test(answer.trim())) throw new HostError('Stopped, as you wished. Nothing was changed.')
}

function refuse(checks: Check[], { model, line }: Pick<SetUp, 'model' | 'line'>, say: (line: string) => void): SetUp {
  for (const check of checks.filter(({ ok }) => !ok)) say(explainCheck(check))
  return { ready: false, choice: null, model, line, benchmark: null, checks }
}

/** The checks that failed for the model that came nearest. */
function fails(models: readonly FittedModel[], say: (line: string) => void): SetUp {
  const failed = (model: FittedModel) => model.checks.filter(({ ok }) => !ok).length
  const nearest = models.toSorted((a, b) => failed(a) - failed(b))[0] ?? null
  say(
    nearest
      ? `Nothing that this hub sells fits this machine. ${nearest.id} came nearest:`
      : 'This hub sells nothing now.',
  )
  return refuse(nearest?.checks ?? [], { model: nearest, line: null }, say)
}
