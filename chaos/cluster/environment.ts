/**
 * The environment of the caller for a process of a cluster: what it says of Forebay goes to the nodes, but for what is chosen for each of them,
 * and nothing in it is meant for the S3 clients or the Node of theirs.
 */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(AWS_|NODE_OPTIONS$|FOREBAY_(DATA|HOST|S3_PORT|ADMIN_PORT|PEER_PORT|ETCD_|ROOT_|CLUSTER_|ADVERTISE_))/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** The same without anything of Forebay: for what stands behind the nodes. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(inheritedEnvironment()).filter(([name]) => !name.startsWith('FOREBAY_')),
  );
}
