"""Claims of papers, rerun: `gan study NAME` trains what a claim needs, draws its figure and says whether it held."""
