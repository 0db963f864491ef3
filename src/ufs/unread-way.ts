/** Whether nobody on the way can read what is sent there: by TLS, or since it does not leave the machine. */
export function isUnreadWay({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
