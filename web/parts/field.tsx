import type { ComponentChildren } from 'preact'
import type { Faults } from '../form.ts'

interface Field {
  name: string
  /** Where two forms of a page have a field of this name. */
  id?: string
  label: string
  value?: string | number
  type?: 'text' | 'email' | 'password' | 'number' | 'date' | 'search'
  hint?: ComponentChildren
  faults?: Faults
  required?: boolean
  autocomplete?: string
  maxLength?: number
  min?: string
  max?: string
  step?: string
  placeholder?: string
}

/** One line to fill in, with what is wrong with it beside it. */
export function TextField({ name, id = name, label, value, hint, faults = {}, type = 'text', ...rest }: Field) {
  const attributes = { ...described(id, hint, faults[name]), ...rest, id, name, value }
  return (
    <Labelled name={id} label={label} hint={hint} fault={faults[name]}>
      <input {...attributes} type={type as 'text'} />
    </Labelled>
  )
}

export function SelectField({
  name,
  label,
  value,
  options,
  hint,
  faults = {},
}: Pick<Field, 'name' | 'label' | 'value' | 'hint' | 'faults'> & { options: [value: string, text: string][] }) {
  return (
    <Labelled name={name} label={label} hint={hint} fault={faults[name]}>
      <select id={name} name={name} {...described(name, hint, faults[name])}>
        {options.map(([each, text]) => (
          <option value={each} selected={each === value}>
            {text}
          </option>
        ))}
      </select>
    </Labelled>
  )
}

interface Check {
  name: string
  label: ComponentChildren
  value?: string
  checked?: boolean
}

export function CheckField({ name, label, value = 'yes', checked }: Check) {
  return (
    <label class="check">
      <input type="checkbox" name={name} value={value} checked={checked} />
      <span>{label}</span>
    </label>
  )
}

/** Several lines to fill in. */
export function AreaField({ name, label, value, hint, faults = {}, rows = 4, ...rest }: Field & { rows?: number }) {
  const attributes = { ...described(name, hint, faults[name]), ...rest, id: name, name, rows }
  return (
    <Labelled name={name} label={label} hint={hint} fault={faults[name]}>
      <textarea {...attributes}>{value}</textarea>
    </Labelled>
  )
}

/** What is wrong with the form as a whole. */
export function FormFault({ faults = {} }: { faults?: Faults }) {
  return faults[''] ? (
    <p class="note-box bad" role="alert">
      {faults['']}
    </p>
  ) : null
}

function Labelled({
  name,
  label,
  hint,
  fault,
  children,
}: Pick<Field, 'name' | 'label' | 'hint'> & { fault: string | undefined; children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      {children}
      {fault !== undefined && (
        <span class="error" id={`${name}-fault`} role="alert">
          {fault}
        </span>
      )}
      {hint !== undefined && (
        <span class="hint" id={`${name}-hint`}>
          {hint}
        </span>
      )}
    </div>
  )
}

function described(name: string, hint: ComponentChildren, fault: string | undefined) {
  const by = [...(fault === undefined ? [] : [`${name}-fault`]), ...(hint === undefined ? [] : [`${name}-hint`])]
  return { 'aria-invalid': fault === undefined ? undefined : true, 'aria-describedby': by.join(' ') || undefined }
}

/** What a form carries along. */
export function Hidden({ name, value }: { name: string; value: string }) {
  return <input type="hidden" name={name} value={value} />
}
