import { findOffer } from '../../hub/catalog/find.ts'
import { acknowledge, listAcknowledgements } from '../../hub/identity/licences.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { existingUser } from './find-user.ts'
import { moment } from './moment.ts'

const acknowledgeCommand = command({
  name: 'acknowledge',
  summary: 'Record that a user agreed to a model’s licence; without --agree, show what there is to agree to.',
  positionals: [
    { name: 'email', help: 'Who agreed.' },
    { name: 'model', help: 'The model’s id, e.g. meta-llama/Llama-3.1-8B-Instruct.' },
  ],
  options: { ...place, agree: { type: 'boolean', help: 'The user agreed to every statement shown.' } },
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const user = await existingUser(db, positionals.email)
      const offer = findOffer(positionals.model)
      if (!offer) throw new Failure('This model is not in the catalog.', 1, 'See: gpuhub model list')
      const { model, terms: licence } = offer
      if (licence === null) throw new Failure(`${model.id} is ${model.licence.name}: there is nothing to agree to.`)
      const statements = model.statements.map(({ text }) => text)
      const terms = { user: user.email, model: model.id, licence: model.licence, policy: model.aupUrl, statements }
      const shown = [
        `${model.licence.name}  ${model.licence.url}`,
        ...(model.aupUrl ? [`use policy  ${model.aupUrl}`] : []),
        ...statements.map((text) => `- ${text}`),
      ]
      if (!options.agree) {
        return out({ ...terms, acknowledgedAt: null }, [...shown, '', 'Add --agree when the user agreed to all of it.'])
      }
      const { at } = await acknowledge(systemEnv, db, { userId: user.id, model: model.id, licence, statements })
      out({ ...terms, acknowledgedAt: moment(at) }, [...shown, '', `${user.email} agreed at ${moment(at)}.`])
    }),
})

const list = command({
  name: 'list',
  summary: 'List the licences a user agreed to.',
  positionals: [{ name: 'email', help: 'Who agreed.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const user = await existingUser(db, positionals.email)
      const agreed = (await listAcknowledgements(db, user.id)).map((each) => ({ ...each, at: moment(each.at) }))
      const rows = agreed.map(({ model, licence, at }) => [model, licence, at])
      out(agreed, table({ header: ['model', 'terms', 'at'], rows, empty: `${user.email} has agreed to no licence.` }))
    }),
})

export const licenceCommands: Group = {
  name: 'licence',
  summary: 'Agreements to the licences of restricted models',
  commands: [acknowledgeCommand, list],
}
