// Which methods an address takes; another one is told so, in JSON and with `allow`.
import { HubError } from '../errors.ts'

/** @throws HubError 405 */
export function allow(request: Request, ...methods: string[]): void {
  if (!methods.includes(request.method)) throw wrongMethod(request.method, methods)
}

/** For a router that only says that nothing matched: the refusal for an address that exists, or null. */
export function wrongMethodOf(routes: readonly Route[], request: Request): HubError | null {
  const { pathname } = new URL(request.url)
  const methods = routes
    .filter(({ method, path }) => method !== 'OPTIONS' && matches(path, pathname))
    .map(({ method }) => method)
  // The router may read an address otherwise than we do: then it is no address of ours.
  return methods.length === 0 || methods.includes(request.method)
    ? null
    : wrongMethod(request.method, [...new Set(methods)])
}

interface Route {
  method: string
  /** With `:names` and, at its end, `*`. */
  path: string
}

function matches(path: string, pathname: string): boolean {
  const wanted = path.split('/')
  const given = pathname.replace(/(.)\/$/, '$1').split('/')
  return (
    wanted.every(
      (part, at) => part === '*' || (given[at] !== undefined && (part.startsWith(':') || part === given[at])),
    ) &&
    (wanted.length === given.length || wanted.at(-1) === '*')
  )
}

function wrongMethod(method: string, methods: string[]): HubError {
  return new HubError('method_not_allowed', `This address takes ${methods.join(' and ')}, not ${method}.`, {
    headers: { allow: methods.join(', ') },
  })
}
